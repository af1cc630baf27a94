locals {
  # The keys of the configuration file that may stand in a machine's user data. A test
  # compares them with the program's own.
  keys = [
    "allow", "api-url", "app-key-file", "archive", "ca-file", "connections", "count", "create-user", "deregister-on-stop", "dir",
    "disableupdate", "drain-timeout", "env", "ephemeral", "jit", "labels", "max-idle", "max-jobs", "max-lifetime", "metadata",
    "metadata-wait", "metrics-file", "mirror", "name", "no-default-labels", "no-proxy", "no-service", "no-sync", "on-exit",
    "on-exit-preempted", "preemption", "proxy", "replace", "runner-version", "runnergroup", "sha256", "stall-timeout", "status-webhook",
    "status-webhook-secret-file", "timeout", "token-file", "update", "user", "user-per-runner", "work",
  ]
  # Those that are refused for a better reason than that they are unknown.
  keys_elsewhere = [
    "token", "url", "token-command", "app-id", "app-key-command", "app-installation-id", "registration-token-file", "jitconfig-file",
  ]
}

locals {
  given = { for key, value in var.options : key => value if value != null }

  # install finds the configuration file here, or below its --dir.
  directory = try(local.given["dir"], "/etc/runner-bootstrap")
  # What is of no use after the install lies where the first-boot unit takes it away.
  brief = "/var/lib/runner-bootstrap-firstboot"

  # Which secrets there are is none: marked as one, it would mark all that depends on it.
  brings_jitconfig    = nonsensitive(var.jitconfig != null)
  brings_registration = nonsensitive(var.registration_token != null)
  brings_token        = nonsensitive(var.token != null)
  brings_app_key      = nonsensitive(var.app_key != null)

  # A caller may have put something sensitive into what is not a secret by itself.
  sensitive = anytrue([
    local.brings_jitconfig, local.brings_registration, local.brings_token, local.brings_app_key,
    issensitive(jsonencode([var.url, var.options, var.token_command, var.app, var.package, var.files])),
  ])

  settings = {
    for key, value in merge(
      { for key, value in local.given : key => value if key != "dir" },
      {
        url                 = var.url
        token-command       = var.token_command
        app-id              = try(var.app.id, null)
        app-key-command     = try(var.app.key_command, null)
        app-installation-id = try(var.app.installation_id, null)
      },
      local.brings_token ? { token-file = "${local.directory}/token" } : {},
      local.brings_app_key ? { app-key-file = "${local.directory}/app-key.pem" } : {},
    ) : key => value if value != null
  }

  files = [
    for file in concat([
      { path = "${local.brief}/registration-token", content = local.brings_registration ? trimspace(var.registration_token) : null },
      { path = "${local.brief}/jitconfig", content = local.brings_jitconfig ? trimspace(var.jitconfig) : null },
      { path = "${local.directory}/token", content = var.token },
      { path = "${local.directory}/app-key.pem", content = var.app_key },
      { path = "${local.directory}/config.yaml", content = length(local.settings) > 0 ? yamlencode(local.settings) : null },
      { path = "/var/lib/cloud/scripts/per-boot/runner-bootstrap", content = local.script, permissions = "0755" },
      { path = "${local.brief}/begun", content = local.begun },
    ], var.files) : { path = file.path, permissions = try(file.permissions, "0600"), content = "${trimsuffix(replace(file.content, "/\n+$/", ""), "\n")}\n" }
    if nonsensitive(file.content != null)
  ]
}

# How the program gets to the machine, in the words of the cloud-init command.
locals {
  releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases"
  version  = try(trimprefix(var.program_version, "v"), null)
  proxy = try(local.given["proxy"], null) == null ? [] : concat(
    ["https_proxy=${local.given["proxy"]}", "http_proxy=${local.given["proxy"]}"],
    [for hosts in [try(local.given["no-proxy"], null)] : "no_proxy=${hosts}" if hosts != null],
  )
  variables = concat(
    local.brings_registration ? ["REGISTRATION_TOKEN_FILE=${local.brief}/registration-token"] : [],
    local.brings_jitconfig ? ["JITCONFIG_FILE=${local.brief}/jitconfig"] : [],
    local.directory == "/etc/runner-bootstrap" ? [] : ["DIR=${local.directory}"],
  )
  begun = join("\n", concat(["# of cloud-init"], [
    for variable in local.variables : join("=", ["RUNNER_BOOTSTRAP_${split("=", variable)[0]}", local.quoted[split("=", variable)[1]]])
  ]))

  # A word that means something to a shell goes into quotes.
  quoted = {
    for word in distinct(concat(local.proxy, [for variable in local.variables : split("=", variable)[1]], [try(var.package.url, ""), try(local.given["ca-file"], "")])) :
    word => can(regex("^[^\\s'\"\\\\$`!*?\\[\\]{}()<>|&;#~]+$", word)) ? word : "'${replace(word, "'", "'\\''")}'"
  }

  get = [
    "get() {",
    "\tcurl -fsSL --retry 5 --connect-timeout 30 --speed-limit 1000 --speed-time 30 -o \"$2\" \"$1\" ||",
    "\t\twget -q --tries=5 --timeout=30 -O \"$2\" \"$1\"",
    "}",
  ]
  archive = endswith(try(var.package.url, ""), ".deb") ? "/run/runner-bootstrap.deb" : "/run/runner-bootstrap.rpm"
  rpm     = "rpm -U --replacepkgs"
  # The configuration file is there already, and is the one that is wanted.
  add = var.package != null && !endswith(local.archive, ".deb") ? [] : [
    "apt() { DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install \"$1\"; }",
    "add() {",
    "\tapt $1 2>/run/runner-bootstrap-apt.txt && return",
    "\tcat /run/runner-bootstrap-apt.txt >&2",
    "\tgrep -q 'dpkg --configure -a' /run/runner-bootstrap-apt.txt &&",
    "\t\tDEBIAN_FRONTEND=noninteractive dpkg --force-confold --configure -a && apt $1",
    "}",
  ]

  bring_package = var.package == null ? [] : [
    "bring() {",
    "\tget ${local.quoted[var.package.url]} ${local.archive} &&",
    "\t\techo \"${lower(var.package.sha256)}  ${local.archive}\" | sha256sum -c - &&",
    "\t\t${endswith(local.archive, ".deb") ? "add" : local.rpm} ${local.archive}",
    "}",
  ]
  bring_release = var.program_version == null ? [] : [
    "base=${local.releases}/download/v${local.version}",
    "bring() {",
    "\tcase $(uname -m) in x86_64) arch=amd64 ;; aarch64) arch=arm64 ;; *) arch=armv7 ;; esac",
    "\tkind=rpm",
    "\t! command -v dpkg >/dev/null || kind=deb",
    "\tfile=runner-bootstrap_linux_$arch.$kind",
    "\tcd /run && get $base/checksums.txt runner-bootstrap-checksums.txt &&",
    "\t\techo \"${lower(coalesce(var.checksums_sha256, "none"))}  runner-bootstrap-checksums.txt\" | sha256sum -c - &&",
    "\t\tget $base/$file $file && grep \" $file\\$\" runner-bootstrap-checksums.txt | sha256sum -c - &&",
    "\t\tif [ $kind = deb ]; then add /run/$file; else ${local.rpm} /run/$file; fi",
    "}",
  ]
  both = "/run/runner-bootstrap-ca.pem"
  bring = var.baked ? [] : concat(
    length(local.proxy) == 0 ? [] : [join(" ", concat(["export"], [for word in local.proxy : local.quoted[word]]))],
    try(local.given["ca-file"], null) == null ? [] : [
      "cat /etc/ssl/certs/ca-certificates.crt /etc/pki/tls/certs/ca-bundle.crt /etc/ssl/ca-bundle.pem ${local.quoted[local.given["ca-file"]]} >${local.both} 2>/dev/null",
      "export CURL_CA_BUNDLE=${local.both} SSL_CERT_FILE=${local.both}",
    ],
    local.get,
    local.add,
    local.bring_release,
    local.bring_package,
    [
      "pause=5",
      "until command -v runner-bootstrap >/dev/null || bring; do",
      "\techo \"runner-bootstrap cannot be brought yet; the next attempt is in $pause seconds or somewhat more\" >&2",
      "\tsleep $((pause + $(od -An -N1 -tu1 /dev/urandom) * pause / 512))",
      "\tpause=$((pause < 150 ? pause * 2 : 300))",
      "done",
    ],
  )
  script = join("\n", concat(
    [
      "#!/bin/sh",
      "# At each boot until there is a runner: brings the program, and leaves the rest to its first-boot unit.",
      "[ -e ${local.brief}/begun ] || exit 0",
    ],
    local.bring,
    [
      "unit=runner-bootstrap-firstboot.service",
      "if systemctl cat $unit >/dev/null 2>&1; then",
      "\texec systemctl start --no-block $unit",
      "fi",
      "set -a",
      ". ${local.brief}/begun",
      "runner-bootstrap install --keep-trying && rm -rf ${local.brief}/*",
    ],
  ))

  text = join("\n", [
    "#cloud-config",
    "# A GitHub Actions runner${var.url == null ? "" : " for ${var.url}"}. Made by the Terraform module of runner-bootstrap.",
    yamlencode({ write_files = local.files }),
  ])
}

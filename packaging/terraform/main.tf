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
  # What is of no use after the install lies where the next boot takes it away.
  brief = "/run/runner-bootstrap"

  # Which secrets there are is none: marked as one, it would mark all that depends on it.
  brings_jitconfig    = nonsensitive(var.jitconfig != null)
  brings_registration = nonsensitive(var.registration_token != null)
  brings_token        = nonsensitive(var.token != null)
  brings_app_key      = nonsensitive(var.app_key != null)

  # A caller may have put something sensitive into what is not a secret by itself.
  sensitive = anytrue([
    local.brings_jitconfig, local.brings_registration, local.brings_token, local.brings_app_key,
    issensitive(jsonencode([var.url, var.options, var.token_command, var.app, var.package])),
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
    for file in [
      { path = "${local.brief}/registration-token", content = local.brings_registration ? trimspace(var.registration_token) : null },
      { path = "${local.brief}/jitconfig", content = local.brings_jitconfig ? trimspace(var.jitconfig) : null },
      { path = "${local.directory}/token", content = var.token },
      { path = "${local.directory}/app-key.pem", content = var.app_key },
      { path = "${local.directory}/config.yaml", content = length(local.settings) > 0 ? yamlencode(local.settings) : null },
    ] : { path = file.path, permissions = "0600", content = "${trimsuffix(replace(file.content, "/\n+$/", ""), "\n")}\n" }
    if nonsensitive(file.content != null)
  ]
}

# How the program gets to the machine, in the words of the cloud-init command.
locals {
  releases = "https://github.com/runner-bootstrap/runner-bootstrap/releases"
  version  = try(trimprefix(var.program_version, "v"), null)
  release  = local.version == null ? "${local.releases}/latest/download" : "${local.releases}/download/v${local.version}"
  script   = "/run/runner-bootstrap-install.sh"

  proxy = try(local.given["proxy"], null) == null ? [] : concat(
    ["https_proxy=${local.given["proxy"]}", "http_proxy=${local.given["proxy"]}"],
    [for hosts in [try(local.given["no-proxy"], null)] : "no_proxy=${hosts}" if hosts != null],
  )
  install = concat(
    local.directory == "/etc/runner-bootstrap" ? [] : ["--dir", local.directory],
    local.brings_registration ? ["--registration-token-file", "${local.brief}/registration-token"] : [],
    local.brings_jitconfig ? ["--jitconfig-file", "${local.brief}/jitconfig"] : [],
  )

  # A word that means something to a shell goes into quotes.
  quoted = {
    for word in concat(local.proxy, local.install, [try(var.package.url, "")]) :
    word => can(regex("^[^\\s'\"\\\\$`!*?\\[\\]{}()<>|&;#~]+$", word)) ? word : "'${replace(word, "'", "'\\''")}'"
  }

  get     = "get() { curl -fsSL --retry 5 \"$1\" || wget -qO- \"$1\"; }"
  archive = endswith(try(var.package.url, ""), ".deb") ? "/run/runner-bootstrap.deb" : "/run/runner-bootstrap.rpm"
  # The configuration file is there already, and is the one that is wanted.
  add_deb = "DEBIAN_FRONTEND=noninteractive apt-get -y -o DPkg::Lock::Timeout=300 -o Dpkg::Options::=--force-confold install ${local.archive}"
  add_rpm = "rpm -U --replacepkgs ${local.archive}"

  fetch_package = var.package == null ? [] : [
    "get ${local.quoted[var.package.url]} >${local.archive}",
    "echo \"${lower(var.package.sha256)}  ${local.archive}\" | sha256sum -c -",
    endswith(local.archive, ".deb") ? local.add_deb : local.add_rpm,
  ]
  fetch_release = [
    "get ${local.release}/install.sh >${local.script}",
    local.version == null ? "sh ${local.script}" : "sh ${local.script} --version ${local.version}",
  ]
  fetch = var.baked ? [] : concat(
    length(local.proxy) == 0 ? [] : [join(" ", concat(["export"], [for word in local.proxy : local.quoted[word]]))],
    [local.get],
    var.package == null ? local.fetch_release : local.fetch_package,
  )
  run = join(" ", concat(["runner-bootstrap install"], [for word in local.install : local.quoted[word]]))

  text = join("\n", [
    "#cloud-config",
    "# A GitHub Actions runner${var.url == null ? "" : " for ${var.url}"}. Made by the Terraform module of runner-bootstrap.",
    yamlencode({ write_files = local.files, runcmd = concat(["set -e"], local.fetch, [local.run]) }),
  ])
}

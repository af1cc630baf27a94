variable "url" {
  description = "What the runner belongs to: https://HOST/ORG, https://HOST/OWNER/REPO or https://HOST/enterprises/SLUG."
  type        = string
  default     = null

  validation {
    condition     = var.url != null
    error_message = "The url is missing: say what the runner shall belong to. A just-in-time configuration does not say it."
  }
  validation {
    # The same addresses as the program takes; plain http is for loopback alone.
    condition = var.url == null || can(regex(
      "^(?i:https://[^/@?#\\s]+|http://(localhost|127\\.[0-9.]+|\\[::1\\])(:[0-9]+)?)/[\\w.-]+(/[\\w.-]+)?/?$", var.url
    ))
    error_message = "The url must be https://HOST/ORG, https://HOST/OWNER/REPO or https://HOST/enterprises/SLUG, without a user name, a query or a fragment."
  }
}

variable "options" {
  description = "Further keys of the configuration file, which are the names of the options of install, such as { labels = [\"gpu\"], max-jobs = 1 }. A key whose value is null counts as absent."
  type        = any
  default     = {}
  nullable    = false

  validation {
    condition     = can(keys(var.options))
    error_message = "The options must be a map from keys of the configuration file to their values."
  }
  validation {
    condition     = !contains(try(keys(var.options), []), "token")
    error_message = "A token does not belong into the options: let the machine fetch it with token_command."
  }
  validation {
    condition = length(setintersection(try(keys(var.options), []), [
      "url", "token-command", "app-id", "app-key-command", "app-installation-id", "registration-token-file", "jitconfig-file",
    ])) == 0
    error_message = "The options hold a key that has a variable of its own: url, token_command, app, registration_token or jitconfig."
  }
  validation {
    condition     = length(setsubtract(try(keys(var.options), []), concat(local.keys, local.keys_elsewhere))) == 0
    error_message = "The options hold a key that the configuration file does not have. The keys are the names of the options of install, without the hyphens in front."
  }
  validation {
    condition = alltrue([
      for key, value in try({ for k, v in var.options : k => v }, {}) :
      can(tostring(value)) || can([for word in value : tostring(word)]) && (!can(keys(value)) || key == "env")
    ])
    error_message = "The value of an option must be a text, a number, true or false, or a list of these; env alone may be a map."
  }
  validation {
    condition     = contains(["auto", "off", "aws", "gcp", "azure"], try(coalesce(var.options["preemption"]), "auto"))
    error_message = "The option preemption must be auto, off, aws, gcp or azure."
  }
  validation {
    condition     = contains(["auto", "required", "off"], try(coalesce(var.options["metadata"]), "auto"))
    error_message = "The option metadata must be auto, required or off."
  }
  validation {
    condition = length(setsubtract(
      try(tolist(var.options["allow"]), compact(split(",", replace(var.options["allow"], " ", ""))), []), ["sudo", "docker", "dbus", "all"]
    )) == 0
    error_message = "The option allow must be made of sudo, docker, dbus and all."
  }
  validation {
    condition     = !try(tobool(var.options["no-default-labels"]), false) || try(length(var.options["labels"]) > 0, false)
    error_message = "The option no-default-labels needs labels: a runner without any label gets no job."
  }
  validation {
    # OWNER/REPO, unless OWNER is the word enterprises.
    condition = (
      try(var.options["runnergroup"], null) == null
      || !can(regex("^[^/]+//[^/]+/[^/]+/[^/]+/?$", var.url)) || can(regex("^[^/]+//[^/]+/(?i:enterprises)/", var.url))
    )
    error_message = "The option runnergroup is not for a repository, which has no runner groups: give the organization's url."
  }
  validation {
    condition = nonsensitive(var.jitconfig == null) || length(setintersection([
      for key, value in try({ for k, v in var.options : k => v }, {}) : key if value != null
    ], ["name", "labels", "no-default-labels", "runnergroup", "ephemeral", "jit", "count", "disableupdate", "work"])) == 0
    error_message = "The just-in-time configuration has settled name, labels, no-default-labels, runnergroup, ephemeral, jit, count, disableupdate and work already."
  }
  validation {
    condition     = nonsensitive(var.registration_token == null) || !try(tobool(var.options["jit"]), false)
    error_message = "The option jit needs more than a registration token, which cannot make a just-in-time configuration: use ephemeral."
  }
}

variable "token_command" {
  description = "Shell command by which the machine fetches an access token, again each time."
  type        = string
  default     = null

  validation {
    condition     = var.token_command == null || try(trimspace(var.token_command), "") != ""
    error_message = "The token_command is empty."
  }
  validation {
    condition = length([
      for given in [var.token_command != null, var.app != null, nonsensitive(var.token != null), try(var.options["token-file"], null) != null] : given if given
    ]) <= 1
    error_message = "One credential is enough: token_command, app, token or the option token-file."
  }
  validation {
    condition = anytrue([
      var.token_command != null, var.app != null, nonsensitive(var.token != null), try(var.options["token-file"], null) != null,
      nonsensitive(var.registration_token != null), nonsensitive(var.jitconfig != null),
    ])
    error_message = "The machine would have no credential: give token_command, app, registration_token or jitconfig."
  }
}

variable "app" {
  description = "GitHub App to act as: its client ID or its number, the shell command by which the machine fetches its private key, and the installation, which is found by the url if it is not given."
  type = object({
    id              = string
    key_command     = optional(string)
    installation_id = optional(string)
  })
  default = null

  validation {
    condition     = try(trimspace(var.app.id), "-") != ""
    error_message = "The app needs an id."
  }
  validation {
    condition = var.app == null || length([
      for given in [try(var.app.key_command, null) != null, nonsensitive(var.app_key != null), try(var.options["app-key-file"], null) != null] : given if given
    ]) == 1
    error_message = "The app needs exactly one key: its key_command, app_key or the option app-key-file."
  }
  validation {
    condition     = var.app != null || nonsensitive(var.app_key == null) && try(var.options["app-key-file"], null) == null
    error_message = "The key of an app, app_key or the option app-key-file, needs the app."
  }
}

variable "files" {
  description = "Further files of the machine, such as that of the option ca-file, written before there is a runner: the absolute path, the content, and the permissions, which are 0600 if not given."
  type = list(object({
    path        = string
    content     = string
    permissions = optional(string, "0600")
  }))
  default  = []
  nullable = false

  validation {
    condition     = alltrue([for file in nonsensitive(var.files) : can(regex("^/[^\\n]*[^/\\n]$", file.path)) && file.content != null])
    error_message = "Each of the files needs its absolute path and its content."
  }
  validation {
    condition     = alltrue([for file in nonsensitive(var.files) : can(regex("^0[0-7]{3}$", file.permissions))])
    error_message = "The permissions of the files must be four octal digits, such as 0644."
  }
}

variable "for_one_machine" {
  description = "Whether the user data is for one machine that is made now. Only then jitconfig and registration_token are taken: a new one is other user data, and so replaces each machine at each plan."
  type        = bool
  default     = false
  nullable    = false
}

variable "jitconfig" {
  description = "Just-in-time configuration that was made elsewhere. It serves one job and is of no use afterwards."
  type        = string
  default     = null
  sensitive   = true

  validation {
    # Looking for the file of settings is looking whether it is one at all.
    condition     = var.jitconfig == null || can(jsondecode(base64decode(trimspace(var.jitconfig)))[".runner"])
    error_message = "The jitconfig is not a just-in-time configuration."
  }
  validation {
    condition     = nonsensitive(var.jitconfig == null) || var.for_one_machine
    error_message = "A jitconfig serves one machine, and a new one changes all of them at each plan: use token_command or app, by which a machine fetches what it needs, or say for_one_machine."
  }
}

variable "registration_token" {
  description = "Registration token that was minted elsewhere. It is of no use after its hour."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = var.registration_token == null || can(regex("^\\s*[!-~]+\\s*$", var.registration_token))
    error_message = "The registration_token is empty, or has a blank or a character that no token has."
  }
  validation {
    condition     = nonsensitive(var.registration_token == null) || var.for_one_machine
    error_message = "A registration_token lives for an hour, and a new one changes all machines at each plan: use token_command or app, by which a machine fetches what it needs, or say for_one_machine."
  }
  validation {
    condition     = nonsensitive(var.registration_token == null || var.jitconfig == null)
    error_message = "A just-in-time configuration and a registration token: one of them is enough."
  }
}

variable "baked" {
  description = "Whether the image has the program already, and best the runner in its cache."
  type        = bool
  default     = false
  nullable    = false
}

variable "package" {
  description = "Package of the program, .deb or .rpm, that the machine shall install instead of a release by its script, and the package's SHA-256."
  type = object({
    url    = string
    sha256 = string
  })
  default = null

  validation {
    condition     = var.package == null || can(regex("\\.(deb|rpm)$", var.package.url))
    error_message = "The package must be a .deb or a .rpm."
  }
  validation {
    condition     = var.package == null || can(regex("^[0-9A-Fa-f]{64}$", var.package.sha256))
    error_message = "The package needs its sha256 as 64 hexadecimal digits."
  }
  validation {
    condition     = var.package == null || !var.baked
    error_message = "A baked image has the program already: leave out the package."
  }
}

variable "program_version" {
  description = "Release of the program that the machine shall fetch, such as 1.2.3, unless it is baked or a package is given."
  type        = string
  default     = null

  validation {
    condition     = var.program_version != null || var.baked || var.package != null
    error_message = "Say which program the machine shall have: baked, a package, or a program_version. The latest one would be another one tomorrow."
  }

  validation {
    # It becomes a part of a shell command.
    condition     = var.program_version == null || can(regex("^v?[0-9]+\\.[0-9]+\\.[0-9]+(-[0-9A-Za-z.]+)?$", var.program_version))
    error_message = "The program_version must be one such as 1.2.3."
  }
  validation {
    condition     = var.program_version == null || !var.baked && var.package == null
    error_message = "The program_version is for a release that the machine fetches: leave it out with a baked image or a package."
  }
}

variable "checksums_sha256" {
  description = "SHA-256 of the checksums.txt of the release program_version: the machine takes this list alone, and of it the package of its kind."
  type        = string
  default     = null

  validation {
    condition     = var.program_version == null || var.checksums_sha256 != null
    error_message = "The program_version needs the checksums_sha256 of its release: a person who can replace a release could be root on your machines otherwise."
  }
  validation {
    condition     = var.checksums_sha256 == null || can(regex("^[0-9A-Fa-f]{64}$", var.checksums_sha256))
    error_message = "The checksums_sha256 must be 64 hexadecimal digits."
  }
  validation {
    condition     = var.checksums_sha256 == null || var.program_version != null
    error_message = "The checksums_sha256 is for a release that the machine fetches: leave it out without a program_version."
  }
}

variable "allow_secrets_in_user_data" {
  description = "Whether a long-lived credential may stand in the user data, where every process of the machine may be able to read it, and in Terraform's state."
  type        = bool
  default     = false
  nullable    = false
}

variable "token" {
  description = "Access token. Taken with allow_secrets_in_user_data only; prefer token_command."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = nonsensitive(var.token == null) || var.allow_secrets_in_user_data
    error_message = "Every process of the machine could read the token from its user data: use token_command, or say that you know with allow_secrets_in_user_data."
  }
  validation {
    condition     = var.token == null || can(regex("^\\s*[!-~]+\\s*$", var.token))
    error_message = "The token is empty, or has a blank or a character that no token has."
  }
}

variable "app_key" {
  description = "Private key of the app, as GitHub gave it. Taken with allow_secrets_in_user_data only; prefer the app's key_command."
  type        = string
  default     = null
  sensitive   = true

  validation {
    condition     = nonsensitive(var.app_key == null) || var.allow_secrets_in_user_data
    error_message = "Every process of the machine could read the key from its user data: use the app's key_command, or say that you know with allow_secrets_in_user_data."
  }
  validation {
    condition     = var.app_key == null || try(trimspace(var.app_key), "") != ""
    error_message = "The app_key is empty."
  }
}

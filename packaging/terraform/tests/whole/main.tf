# The module as a caller has it. By itself it could not be tested with secrets: the
# outputs of a root module must say beforehand whether they are sensitive.

variable "url" {
  type    = string
  default = null
}

variable "options" {
  type    = any
  default = {}
}

# A value of the options that is sensitive in the caller's own configuration.
variable "secret_env" {
  type      = string
  default   = null
  sensitive = true
}

variable "token_command" {
  type    = string
  default = null
}

variable "app" {
  type    = any
  default = null
}

variable "jitconfig" {
  type    = string
  default = null
}

variable "registration_token" {
  type    = string
  default = null
}

variable "for_one_machine" {
  type    = bool
  default = false
}

variable "baked" {
  type    = bool
  default = false
}

variable "package" {
  type    = any
  default = null
}

variable "program_version" {
  type    = string
  default = null
}

variable "checksums_sha256" {
  type    = string
  default = null
}

variable "allow_secrets_in_user_data" {
  type    = bool
  default = false
}

variable "token" {
  type    = string
  default = null
}

variable "app_key" {
  type    = string
  default = null
}

module "runner" {
  source = "../.."

  url                        = var.url
  options                    = merge(var.options, nonsensitive(var.secret_env == null) ? {} : { env = var.secret_env })
  token_command              = var.token_command
  app                        = var.app
  jitconfig                  = var.jitconfig
  registration_token         = var.registration_token
  for_one_machine            = var.for_one_machine
  baked                      = var.baked
  package                    = var.package
  program_version            = var.program_version
  checksums_sha256           = var.checksums_sha256
  allow_secrets_in_user_data = var.allow_secrets_in_user_data
  token                      = var.token
  app_key                    = var.app_key
}

output "user_data" {
  value = nonsensitive(module.runner.user_data)
}

output "decoded" {
  value = nonsensitive(base64decode(module.runner.user_data_base64))
}

output "sensitive" {
  value = issensitive(module.runner.user_data) && issensitive(module.runner.user_data_base64)
}

output "readable" {
  value = !issensitive(module.runner.user_data) && !issensitive(module.runner.user_data_base64)
}

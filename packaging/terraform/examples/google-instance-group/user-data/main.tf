# What each machine of the group is told. It needs no provider, so that a test can render it.

variable "url" {
  type = string
}

variable "labels" {
  type = list(string)
}

variable "project" {
  type = string
}

variable "secret" {
  type = string
}

module "runner" {
  source = "../../.."

  url           = var.url
  baked         = true
  token_command = "gcloud secrets versions access latest --project=${var.project} --secret=${var.secret}"

  options = {
    # The group makes a new machine under the old name, so that names of machines do not do.
    name   = "{instance_id}"
    labels = concat(var.labels, ["{zone}"])
    # A machine whose metadata is late has no runner yet: its first-boot unit asks again, as long as it takes.
    metadata           = "required"
    ephemeral          = true
    deregister-on-stop = true
    # One job, then the machine is switched off, and the group makes it again.
    max-jobs   = 1
    on-exit    = "poweroff"
    preemption = "gcp"
  }
}

output "user_data" {
  value = module.runner.user_data
}

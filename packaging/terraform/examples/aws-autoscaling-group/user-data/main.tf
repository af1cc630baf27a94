# What each machine of the group is told. It needs no provider, so that a test can render it.

variable "url" {
  type = string
}

variable "labels" {
  type = list(string)
}

variable "region" {
  type = string
}

variable "secret_arn" {
  type = string
}

variable "group" {
  type = string
}

variable "hook" {
  type = string
}

variable "hook_seconds" {
  description = "How long the hook waits without a heartbeat."
  type        = number
}

variable "drain_minutes" {
  type = number
}

module "runner" {
  source = "../../.."

  url           = var.url
  baked         = true
  token_command = "aws secretsmanager get-secret-value --region ${var.region} --secret-id ${var.secret_arn} --query SecretString --output text"

  options = {
    name   = "{instance_id}"
    labels = concat(var.labels, ["{zone}"])
    # A machine whose metadata is late has no runner yet: its first-boot unit asks again, as long as it takes.
    metadata           = "required"
    ephemeral          = true
    deregister-on-stop = true
    # One job, then the machine is switched off, and so terminated; the group makes a new one.
    max-jobs      = 1
    on-exit       = "poweroff"
    preemption    = "aws"
    drain-timeout = "${var.drain_minutes}m0s"
  }

  files = [{
    path        = "/var/lib/cloud/scripts/per-boot/leave-group"
    permissions = "0755"
    content = join("\n", [
      "#!/bin/sh",
      "GROUP='${var.group}' HOOK='${var.hook}' REGION='${var.region}' SECONDS_WITHOUT=${var.hook_seconds} DRAIN_MINUTES=${var.drain_minutes}",
      file("${path.module}/../leave.sh"),
    ])
  }]
}

output "user_data" {
  value = module.runner.user_data
}

output "user_data_base64" {
  value = module.runner.user_data_base64
}

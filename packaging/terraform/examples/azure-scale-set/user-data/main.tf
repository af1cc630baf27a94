# What each machine of the scale set is told. It needs no provider, so that a test can render it.

variable "url" {
  type = string
}

variable "labels" {
  type = list(string)
}

variable "client_id" {
  type = string
}

variable "vault_name" {
  type = string
}

variable "secret" {
  type = string
}

module "runner" {
  source = "../../.."

  url   = var.url
  baked = true
  token_command = join(" && ", [
    "az login --identity --client-id ${var.client_id} --output none",
    "az keyvault secret show --vault-name ${var.vault_name} --name ${var.secret} --query value --output tsv",
  ])

  options = {
    name   = "{instance_id}"
    labels = var.labels
    # A machine whose metadata is late has no runner yet: its first-boot unit asks again, as long as it takes.
    metadata           = "required"
    ephemeral          = true
    deregister-on-stop = true
    # A scale set keeps a machine that has switched itself off, and does not replace it. So
    # there is no max-jobs here: the runner comes back by itself, with an empty work folder.
    preemption = "azure"
    # Within the notice of 15 minutes that the scale set gives.
    drain-timeout = "14m0s"
  }
}

output "user_data_base64" {
  value = module.runner.user_data_base64
}

output "user_data" {
  value = module.runner.user_data
}

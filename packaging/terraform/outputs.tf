# What these give is sensitive only if something sensitive is in it, so that a plan shows
# otherwise what changes on the machines. A conditional would not do: it is sensitive if
# either of its sides is. And a root module must say sensitive = true, but this is none.

locals {
  marked = one(concat(
    [for secret in [local.sensitive] : sensitive(local.text) if secret],
    [for secret in [local.sensitive] : nonsensitive(local.text) if !secret],
  ))
}

output "user_data" {
  description = "User data for cloud-init."
  value       = local.marked
}

output "user_data_base64" {
  description = "The same in base64, for what takes it like that."
  value       = base64encode(local.marked)
}

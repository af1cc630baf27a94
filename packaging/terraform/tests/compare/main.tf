# What two texts of user data mean: the same files with the same content. Of the configuration file it is what stands in it that counts.

variable "printed" {
  description = "File that the cloud-init command has printed."
  type        = string
}

variable "user_data" {
  description = "Text of the module."
  type        = string
}

variable "beside" {
  description = "Paths of files that the command does not print."
  type        = list(string)
  default     = []
}

locals {
  texts = { printed = file(var.printed), made = var.user_data }
  data  = { for name, text in local.texts : name => yamldecode(text) }
  meaning = {
    for name, data in local.data : name => {
      header = split("\n", local.texts[name])[0]
      keys   = keys(data)
      files = [
        for file in data.write_files : {
          path        = file.path
          permissions = file.permissions
          content     = endswith(file.path, "/config.yaml") ? jsonencode(yamldecode(file.content)) : file.content
        } if !contains(var.beside, file.path)
      ]
    }
  }
}

output "printed" {
  value = jsonencode(local.meaning.printed)
}

output "made" {
  value = jsonencode(local.meaning.made)
}

output "beside" {
  value = [for file in local.data.made.write_files : file if contains(var.beside, file.path)]
}

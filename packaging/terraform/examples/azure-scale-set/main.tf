module "runner" {
  source = "./user-data"

  url        = var.url
  labels     = var.labels
  client_id  = azurerm_user_assigned_identity.runner.client_id
  vault_name = var.vault_name
  secret     = var.secret
}

# What the machine may do: read this one secret. The identity is there before the machines,
# so that the first of them may read it.

resource "azurerm_user_assigned_identity" "runner" {
  name                = var.name
  resource_group_name = var.resource_group
  location            = var.location
}

resource "azurerm_role_assignment" "secret" {
  scope                = "${var.vault_id}/secrets/${var.secret}"
  role_definition_name = "Key Vault Secrets User"
  principal_id         = azurerm_user_assigned_identity.runner.principal_id
}

resource "azurerm_linux_virtual_machine_scale_set" "runner" {
  name                = var.name
  resource_group_name = var.resource_group
  location            = var.location
  sku                 = var.size
  instances           = var.machines
  source_image_id     = var.image_id
  custom_data         = module.runner.user_data_base64
  admin_username      = "operator"

  # A machine without notice, and one more than was asked for, would begin a job for nothing.
  overprovision = false

  # Disks, caches and what is temporary are encrypted where the machine runs. The subscription must have the
  # feature Microsoft.Compute/EncryptionAtHost, and the size must be one that can.
  encryption_at_host_enabled = true

  # Only an image of the second generation that is marked for a trusted launch can have them.
  secure_boot_enabled = var.trusted_launch
  vtpm_enabled        = var.trusted_launch

  priority        = "Spot"
  eviction_policy = "Delete"

  admin_ssh_key {
    username   = "operator"
    public_key = var.public_key
  }

  identity {
    type         = "UserAssigned"
    identity_ids = [azurerm_user_assigned_identity.runner.id]
  }

  os_disk {
    caching              = "ReadWrite"
    storage_account_type = "StandardSSD_LRS"
  }

  network_interface {
    name    = "runner"
    primary = true

    ip_configuration {
      name      = "runner"
      primary   = true
      subnet_id = var.subnet_id
    }
  }

  # The supervisor hears that the machine shall go, and lets its job finish. More is not to be had.
  termination_notification {
    enabled = true
    timeout = "PT15M"
  }

  lifecycle {
    # What somebody scales the set to is not undone by the next apply.
    ignore_changes = [instances]
  }

  depends_on = [azurerm_role_assignment.secret]
}

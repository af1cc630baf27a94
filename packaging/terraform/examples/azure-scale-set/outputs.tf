output "scale_set" {
  description = "The scale set, for whoever scales it."
  value       = azurerm_linux_virtual_machine_scale_set.runner.id
}

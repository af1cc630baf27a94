output "scale_set" {
  description = "The scale set, for the one who scales it."
  value       = azurerm_linux_virtual_machine_scale_set.runner.id
}

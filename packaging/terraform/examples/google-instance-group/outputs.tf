output "group" {
  description = "The managed instance group, for the one who scales it."
  value       = google_compute_region_instance_group_manager.runner.id
}

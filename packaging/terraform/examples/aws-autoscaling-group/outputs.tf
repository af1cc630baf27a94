output "group" {
  description = "Name of the auto scaling group, for whoever scales it."
  value       = aws_autoscaling_group.runner.name
}

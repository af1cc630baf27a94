output "group" {
  description = "Name of the auto scaling group, for the one who scales it."
  value       = aws_autoscaling_group.runner.name
}

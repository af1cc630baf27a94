data "aws_region" "here" {}
data "aws_caller_identity" "here" {}
data "aws_partition" "here" {}

locals {
  # Both are known before the group is there, as its machines have to know them.
  group = var.name
  hook  = "let-the-job-finish"
  # How long the group waits for a machine that says nothing any more. leave.sh says something three times as often.
  hook_seconds = 900
}

module "runner" {
  source = "./user-data"

  url           = var.url
  labels        = var.labels
  region        = data.aws_region.here.id
  secret_arn    = var.secret_arn
  group         = local.group
  hook          = local.hook
  hook_seconds  = local.hook_seconds
  drain_minutes = var.drain_minutes
}

# What the machine may do: read this one secret, and tell its own group that it may go.

data "aws_iam_policy_document" "machine" {
  statement {
    actions = ["sts:AssumeRole"]
    principals {
      type        = "Service"
      identifiers = ["ec2.amazonaws.com"]
    }
  }
}

data "aws_iam_policy_document" "secret" {
  statement {
    actions   = ["secretsmanager:GetSecretValue"]
    resources = [var.secret_arn]
  }
}

# A policy cannot name one machine of the group: what runs on one can end the wait for another.
data "aws_iam_policy_document" "leave" {
  statement {
    actions = ["autoscaling:CompleteLifecycleAction", "autoscaling:RecordLifecycleActionHeartbeat"]
    resources = [join(":", [
      "arn", data.aws_partition.here.partition, "autoscaling", data.aws_region.here.id, data.aws_caller_identity.here.account_id,
      "autoScalingGroup:*:autoScalingGroupName/${local.group}",
    ])]
  }
}

resource "aws_iam_role" "runner" {
  name_prefix        = "${var.name}-"
  assume_role_policy = data.aws_iam_policy_document.machine.json
}

resource "aws_iam_role_policy" "secret" {
  name   = "read-the-token"
  role   = aws_iam_role.runner.id
  policy = data.aws_iam_policy_document.secret.json
}

resource "aws_iam_role_policy" "leave" {
  name   = "tell-the-group"
  role   = aws_iam_role.runner.id
  policy = data.aws_iam_policy_document.leave.json
}

resource "aws_iam_instance_profile" "runner" {
  name_prefix = "${var.name}-"
  role        = aws_iam_role.runner.name
}

# A runner asks GitHub for jobs; nobody asks it.
resource "aws_security_group" "runner" {
  name_prefix = "${var.name}-"
  description = "Runners: outwards only"
  vpc_id      = var.vpc_id

  egress {
    from_port        = 0
    to_port          = 0
    protocol         = "-1"
    cidr_blocks      = ["0.0.0.0/0"]
    ipv6_cidr_blocks = ["::/0"]
  }

  lifecycle {
    create_before_destroy = true
  }
}

resource "aws_launch_template" "runner" {
  name_prefix            = "${var.name}-"
  image_id               = var.image_id
  instance_type          = var.instance_types[0]
  user_data              = module.runner.user_data_base64
  update_default_version = true
  vpc_security_group_ids = [aws_security_group.runner.id]

  # on-exit switches the machine off.
  instance_initiated_shutdown_behavior = "terminate"

  # With one hop the answer does not get as far as a container with a network of its own.
  metadata_options {
    http_endpoint               = "enabled"
    http_tokens                 = "required"
    http_put_response_hop_limit = 1
  }

  # The root disk, by the name that the image gives it. What jobs leave on it goes with it.
  block_device_mappings {
    device_name = var.root_device

    ebs {
      encrypted             = true
      volume_type           = "gp3"
      volume_size           = var.root_gigabytes
      delete_on_termination = true
    }
  }

  iam_instance_profile {
    arn = aws_iam_instance_profile.runner.arn
  }

  tag_specifications {
    resource_type = "instance"
    tags          = { Name = var.name }
  }
}

resource "aws_autoscaling_group" "runner" {
  name                = local.group
  vpc_zone_identifier = var.subnet_ids
  min_size            = 0
  desired_capacity    = var.machines
  max_size            = var.machines * 2
  health_check_type   = "EC2"
  # A machine counts when it runs; whether it is a runner is for GitHub to say.
  wait_for_capacity_timeout = "0"

  mixed_instances_policy {
    instances_distribution {
      on_demand_percentage_above_base_capacity = 0
      spot_allocation_strategy                 = "price-capacity-optimized"
    }
    launch_template {
      launch_template_specification {
        launch_template_id = aws_launch_template.runner.id
        version            = aws_launch_template.runner.latest_version
      }
      dynamic "override" {
        for_each = var.instance_types
        content {
          instance_type = override.value
        }
      }
    }
  }

  # It must be there before the first machine: one without it is cut off when it goes.
  initial_lifecycle_hook {
    name                 = local.hook
    lifecycle_transition = "autoscaling:EC2_INSTANCE_TERMINATING"
    # The supervisor sees that the group wants the machine to go, and lets its job finish. leave.sh sends heartbeats until
    # then, and ends the wait. A machine that has switched itself off is listed as Terminating:Wait until this is over.
    heartbeat_timeout = local.hook_seconds
    default_result    = "CONTINUE"
  }

  lifecycle {
    # What somebody scales the group to is not undone by the next apply.
    ignore_changes = [desired_capacity]
  }

  # The first machine reads the secret at once, and may have to go at once.
  depends_on = [aws_iam_role_policy.secret, aws_iam_role_policy.leave]
}

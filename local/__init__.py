"""The docker-free local cloud: everything `template.yaml` declares, in one process."""

"""The charter: `project.yaml` as typed data, what it leaves open, and the gates whose limits it may change."""

"""The embedded demo: a simulated telecom company with three silos, complete with charter, features and business rule.

It is a project folder like any other (`project.yaml` beside its package), so that the template's own notebooks run
on exactly what a default bake gets.
"""

{{ starter('rules.py', cookiecutter) }}

{{ starter('checks.py', cookiecutter) }}

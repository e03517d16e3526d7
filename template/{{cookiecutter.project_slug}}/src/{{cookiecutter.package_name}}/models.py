{{ starter('models.py', cookiecutter) }}

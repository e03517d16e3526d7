{{ starter('features.py', cookiecutter) }}

{{ starter('gates.py', cookiecutter) }}

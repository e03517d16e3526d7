{{ starter('test_package.py', cookiecutter) }}

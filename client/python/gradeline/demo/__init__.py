"""The demo: a small network learns Fashion-MNIST on two ranks, with every loss and gradient from the server.

python3 -m gradeline.demo runs it whole; gradeline.demo.trainer is one rank, and reads like any trainer would.
"""

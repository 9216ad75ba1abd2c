"""The model's state on CPU or GPU, what is compiled for it, and who may use it when."""

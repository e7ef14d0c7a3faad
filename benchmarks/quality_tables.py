"""x"""
class Measured: pass
def write_results(*a): pass

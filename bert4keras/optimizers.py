class AdamWarmup(object): pass
def calc_train_steps(): pass

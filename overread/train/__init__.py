"""Training of ECG models: nets, losses, augmentation, the loop and one file per paradigm."""

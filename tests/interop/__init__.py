"""What joins observables to RxPY, to asynchronous iteration and to other threads."""

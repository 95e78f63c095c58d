"""What RxPY's operators do, fact by fact, and whether ours do the same: on every supported version of RxPY."""

"""What holds for all tests."""

import signal

# tests send Ctrl-C to programs of their own; run in the background, these would inherit that it is ignored
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

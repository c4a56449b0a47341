"""Notices: what changed on the board, told to whoever should know.

    watch      what a fold of changes means: an incident opened, a build failed
    history    what a board that starts must know of the last half hour
    rules      which of it the config asks for, and by which ways
    pacing     when to speak: quiet hours, floods, what flips, never more than so many a minute
    words      what is said
    terminal   bell and notifications as a terminal takes them
    delivery   desktop notifications and commands
    herald     all of it, for one running board

Nothing here draws, and `herald` alone knows of tasks.
"""

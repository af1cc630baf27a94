package supervise

const listenerName = "Runner.Listener.exe"

package child

import "syscall"

// apart keeps the terminal's signals from the process, and lets it die with this one.
func apart() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}

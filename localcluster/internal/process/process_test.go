package process

import (
	"bufio"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

func TestAlive(t *testing.T) {
	t.Parallel()
	cmd := exec.Command("sh", "-c", "echo up; read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(out).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	id, err := Of(cmd.Process.Pid)
	if err != nil {
		t.Fatal(err)
	}
	if !id.Alive() {
		t.Error("a running process is not alive")
	}
	other := ID{id.PID, id.Start - 1}
	if other.Alive() {
		t.Error("an earlier process with the same id is alive")
	}
	if err := other.Signal(syscall.SIGKILL); err != nil {
		t.Error(err)
	}
	in.Close()
	if err := cmd.Wait(); err != nil && err.Error() != "exit status 1" {
		t.Errorf("a signal for an earlier process hit this one: %v", err)
	}
	if id.Alive() {
		t.Error("an ended process is alive")
	}
	if (ID{}).Alive() {
		t.Error("no process is alive")
	}
}

func TestOfOddName(t *testing.T) {
	t.Parallel()
	// The name of a program stands in the middle of what is read.
	odd := t.TempDir() + "/a) b (c"
	if err := os.Symlink("/bin/sh", odd); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(odd, "-c", "read x")
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer in.Close()
	id, err := Of(cmd.Process.Pid)
	if err != nil || id.Start == 0 || !id.Alive() {
		t.Errorf("identify a process with an odd name: %+v, %v", id, err)
	}
}

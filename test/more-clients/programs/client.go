// What the tests ask of Go's x/crypto/ssh. Arguments: host, port, login, key file.
package main

import (
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func main() {
	pem, err := os.ReadFile(os.Args[4])
	check(err)
	signer, err := ssh.ParsePrivateKey(pem)
	check(err)
	client, err := ssh.Dial("tcp", os.Args[1]+":"+os.Args[2], &ssh.ClientConfig{
		User:            os.Args[3],
		Auth:            []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
		Timeout:         15 * time.Second,
	})
	check(err)
	session, err := client.NewSession()
	check(err)
	session.Stdin = strings.NewReader("in")
	out, err := session.Output("cat; exit 7")
	exit, ok := err.(*ssh.ExitError)
	if !ok {
		fmt.Fprintln(os.Stderr, "no exit status:", err)
		os.Exit(1)
	}
	fmt.Println("exec", string(out), exit.ExitStatus())

	killed, err := client.NewSession()
	check(err)
	err = killed.Run("kill -TERM $$")
	exit, ok = err.(*ssh.ExitError)
	fmt.Println("signal", ok && exit.Signal() == "TERM")

	terminal, err := client.NewSession()
	check(err)
	check(terminal.RequestPty("xterm", 30, 100, ssh.TerminalModes{ssh.ECHO: 0}))
	size, err := terminal.Output("stty size; stty -a | grep -c -- ' -echo '")
	fmt.Printf("terminal %q\n", size)
	check(err)
}

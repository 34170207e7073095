// An independent peer for mlkem768x25519-sha256, made of golang.org/x/crypto/ssh: `mlkem client PORT` signs in, asks
// for answers while it renews its keys, and leaves; `mlkem server` prints its port and does the same as a server.
package main

import (
	"crypto/ed25519"
	"crypto/rand"
	"fmt"
	"net"
	"os"

	"golang.org/x/crypto/ssh"
)

var only = ssh.Config{KeyExchanges: []string{"mlkem768x25519-sha256"}, RekeyThreshold: 256 * 1024}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func client(port string) {
	connection, err := ssh.Dial("tcp", "127.0.0.1:"+port, &ssh.ClientConfig{
		Config:          only,
		User:            "alice",
		HostKeyCallback: ssh.InsecureIgnoreHostKey(),
	})
	check(err)
	block := make([]byte, 16*1024)
	for i := 0; i < 128; i++ {
		_, _, err := connection.SendRequest("question@example.com", true, block)
		check(err)
	}
	fmt.Println("128 answers")
	check(connection.Close())
}

func server() {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	check(err)
	signer, err := ssh.NewSignerFromKey(key)
	check(err)
	config := &ssh.ServerConfig{Config: only, NoClientAuth: true}
	config.AddHostKey(signer)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	check(err)
	fmt.Println(listener.Addr().(*net.TCPAddr).Port)
	socket, err := listener.Accept()
	check(err)
	connection, channels, requests, err := ssh.NewServerConn(socket, config)
	check(err)
	go func() {
		for channel := range channels {
			check(channel.Reject(ssh.Prohibited, "no channels here"))
		}
	}()
	for request := range requests {
		check(request.Reply(true, request.Payload))
	}
	_ = connection.Wait()
}

func main() {
	if len(os.Args) == 3 && os.Args[1] == "client" {
		client(os.Args[2])
	} else {
		server()
	}
}

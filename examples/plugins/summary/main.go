// Command summary says in one line how long a text is. It knows nothing of the router: the text is on its standard input, what it prints is emitted,
// and its exit code is the verdict (3: to the dead letters).
package main

import (
	"bufio"
	"fmt"
	"os"
	"strings"
)

func main() {
	lines, words, bytes := 0, 0, 0
	input := bufio.NewScanner(os.Stdin)
	input.Buffer(nil, 1<<20)
	for input.Scan() {
		lines++
		words += len(strings.Fields(input.Text()))
		bytes += len(input.Bytes()) + 1
	}
	if input.Err() != nil || lines == 0 {
		fmt.Fprintln(os.Stderr, "nothing to sum up")
		os.Exit(3)
	}
	fmt.Printf("%s from %s: %d lines, %d words, %d bytes\n", os.Getenv("RMDS_CHANNEL"), os.Getenv("RMDS_SENDER"), lines, words, bytes)
}

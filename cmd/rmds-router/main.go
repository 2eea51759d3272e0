// Command rmds-router carries messages between nodes, through plugins, and loses none.
package main

import "os"

// version is set when a release is built.
var version = "dev"

func main() { os.Exit(execute(os.Args[1:])) }

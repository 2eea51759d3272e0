package config

import (
	"fmt"
	"net/url"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// minStorage is the smallest database that can hold its own tables, a message and room for positions, in bytes.
const minStorage = 4 << 20

// NodePlaceholder in storage.path stands for the node's id.
const NodePlaceholder = "{nodeID}"

var placeholder = regexp.MustCompile(`\{[A-Za-z_.-]+\}`)

func (k *checker) storage() {
	path := k.Engine.StoragePath
	if size := k.Engine.StorageMaxSize; size > 0 && size < minStorage {
		k.fail("storage.max_size", "%d bytes is too small: use 4MiB or more, or 0 for as much as the disk has", size)
	}
	switch {
	case path == "":
		k.fail("storage.path", "is empty: name the database file, such as ./data/{nodeID}.db")
		return
	case strings.HasSuffix(path, "/") || os.IsPathSeparator(path[len(path)-1]):
		k.fail("storage.path", "%q is a folder: name the database file in it, such as %s{nodeID}.db", path, path)
		return
	}
	for _, word := range placeholder.FindAllString(path, -1) {
		if word != NodePlaceholder {
			k.fail("storage.path", "%s is not known: the only word in braces is %s, the node's id", word, NodePlaceholder)
			return
		}
	}
	if info, err := os.Stat(strings.ReplaceAll(path, NodePlaceholder, k.Engine.NodeID)); err == nil && info.IsDir() {
		k.fail("storage.path", "%q is a folder: name the database file in it, such as %s/{nodeID}.db", path, path)
	}
}

// servers checks the addresses of NATS servers; an entry may hold several with commas between.
func (k *checker) servers() {
	web, plain := false, false
	for i, entry := range k.Engine.NATSServers {
		path := fmt.Sprintf("nats.servers[%d]", i)
		count := 0
		for server := range strings.SplitSeq(entry, ",") {
			if server = strings.TrimSpace(server); server == "" {
				continue
			}
			count++
			scheme, wrong := serverFault(server)
			if wrong != "" {
				k.fail(path, "%q %s: write host:port, such as hub:4222", withoutCredentials(server), wrong)
				continue
			}
			isWeb := scheme == "ws" || scheme == "wss"
			web, plain = web || isWeb, plain || !isWeb
			if web && plain {
				k.fail(path, "ws and wss cannot stand beside other schemes: use the one or the other for all")
			}
		}
		if count == 0 {
			k.fail(path, "is empty: write host:port, or remove it to run the embedded server")
		}
	}
}

// serverFault returns the scheme of one server's address, or says what is wrong with it.
func serverFault(server string) (scheme, wrong string) {
	full := server
	if !strings.Contains(full, "://") {
		full = "nats://" + full
	}
	u, err := url.Parse(full)
	if err != nil {
		return "", "is not an address"
	}
	if !slices.Contains([]string{"nats", "tls", "ws", "wss"}, u.Scheme) {
		return "", fmt.Sprintf("has the scheme %q, which is none of nats, tls, ws and wss", u.Scheme)
	}
	if u.Hostname() == "" || strings.ContainsAny(u.Hostname(), " \t") {
		return "", "has no host"
	}
	if strings.HasSuffix(u.Host, ":") {
		return "", "has no port behind its colon"
	}
	if port := u.Port(); port != "" {
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
			return "", fmt.Sprintf("has the port %s, which is not from 1 to 65535", port)
		}
	}
	return u.Scheme, ""
}

// withoutCredentials leaves out what stands before an '@', which may be a password.
func withoutCredentials(s string) string { return s[strings.LastIndexByte(s, '@')+1:] }

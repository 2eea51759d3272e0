// Package sdk holds the sources of the guest SDKs, so that a plugin's folder can be made with the SDK in it, without a network.
package sdk

import "embed"

// Files are the SDKs, a folder for each language, as they lie here.
//
//go:embed c/*.h go/*.go rust/Cargo.toml rust/src/*.rs assemblyscript/*.ts assemblyscript/package.json assemblyscript/package-lock.json
var Files embed.FS

// Package author is for those who write plugins: it makes a plugin's folder, builds it with its language's own compiler, runs it on test cases
// without a router or a network, looks into a module and measures it.
//
// A plugin's folder holds plugin.yaml (name, language, and what the router's configuration would say of it), the sources, a copy of the SDK in
// rmds/, and cases.yaml. A build leaves NAME.wasm beside them.
package author

package admin

import (
	"net"
	"net/http"
	"net/url"

	"github.com/getevo/rmds-router/router/config"
)

// guard refuses what a web page could make a browser on this machine send: a Host that is no loopback name (DNS rebinding),
// or an Origin that is not this very address.
func guard(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
		if !config.Loopback(hostname(r.Host)) {
			writeProblem(w, newProblem(http.StatusForbidden, "Host not allowed", "this API answers only under localhost, 127.0.0.1 and [::1]"))
			return
		}
		if origin := r.Header.Get("Origin"); origin != "" && !sameOrigin(origin, r.Host) || r.Header.Get("Sec-Fetch-Site") == "cross-site" {
			writeProblem(w, newProblem(http.StatusForbidden, "Origin not allowed", "pages of another origin may not use this API"))
			return
		}
		next.ServeHTTP(w, r)
	})
}

func hostname(host string) string {
	u := url.URL{Host: host}
	return u.Hostname()
}

func sameOrigin(origin, host string) bool {
	u, err := url.Parse(origin)
	return err == nil && u.Scheme == "http" && u.Host == host
}

// loopbackAddress says whether host:port can be reached from this machine alone.
func loopbackAddress(address string) bool {
	host, _, err := net.SplitHostPort(address)
	return err == nil && config.Loopback(host)
}

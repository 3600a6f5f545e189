// Package fakeoidc is a provider of OpenID Connect for tests, over HTTP. It can be wrong in the ways a real one can, or somebody between it and its client.
package fakeoidc

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"math/big"
	"net/http"
	"net/http/httptest"
	"net/url"
	"sync"
	"testing"
	"time"
)

// The one client that the provider knows.
const (
	ClientID     = "catalyst"
	ClientSecret = "a secret of the client's"
)

// Claims are what an ID token says.
type Claims map[string]any

// Server is a provider. Its fields may be changed between requests.
type Server struct {
	*httptest.Server
	Person Claims // whoever comes is this person
	Change func(Claims)
	Forged bool // tokens are signed with a key that is not the provider's
	Plain  bool // tokens are not signed, and say so

	key, other *rsa.PrivateKey
	mu         sync.Mutex
	codes      map[string]url.Values // what was asked for with the code
}

// Start starts a provider, until the test ends.
func Start(t *testing.T) *Server {
	t.Helper()
	s, err := New()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.Close)
	return s
}

// New starts a provider, until Close is called.
func New() (*Server, error) {
	s := &Server{codes: map[string]url.Values{}}
	for _, key := range []**rsa.PrivateKey{&s.key, &s.other} {
		var err error
		if *key, err = rsa.GenerateKey(rand.Reader, 2048); err != nil {
			return nil, err
		}
	}
	mux := http.NewServeMux()
	mux.HandleFunc("GET /.well-known/openid-configuration", s.discovery)
	mux.HandleFunc("GET /keys", s.keys)
	mux.HandleFunc("GET /authorize", s.authorize)
	mux.HandleFunc("POST /token", s.token)
	s.Server = httptest.NewServer(mux)
	return s, nil
}

func answer(w http.ResponseWriter, status int, v any) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_ = json.NewEncoder(w).Encode(v)
}

func (s *Server) discovery(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{
		"issuer": s.URL, "authorization_endpoint": s.URL + "/authorize", "token_endpoint": s.URL + "/token", "jwks_uri": s.URL + "/keys",
		"id_token_signing_alg_values_supported": []string{"RS256"}, "response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"},
	})
}

func (s *Server) keys(w http.ResponseWriter, _ *http.Request) {
	answer(w, http.StatusOK, map[string]any{"keys": []map[string]string{{
		"kty": "RSA", "alg": "RS256", "use": "sig", "kid": "1", "n": encode(s.key.N.Bytes()), "e": encode(big.NewInt(int64(s.key.E)).Bytes()),
	}}})
}

// authorize lets the person in at once, as when they are signed in there.
func (s *Server) authorize(w http.ResponseWriter, r *http.Request) {
	q := r.URL.Query()
	if q.Get("client_id") != ClientID || q.Get("response_type") != "code" || q.Get("code_challenge_method") != "S256" || q.Get("nonce") == "" {
		http.Error(w, "this is no request of the client's", http.StatusBadRequest)
		return
	}
	code := rand.Text()
	s.mu.Lock()
	s.codes[code] = q
	s.mu.Unlock()
	http.Redirect(w, r, q.Get("redirect_uri")+"?"+url.Values{"code": {code}, "state": {q.Get("state")}, "iss": {s.URL}}.Encode(), http.StatusFound)
}

func (s *Server) token(w http.ResponseWriter, r *http.Request) {
	id, secret, basic := r.BasicAuth()
	if !basic {
		id, secret = r.PostFormValue("client_id"), r.PostFormValue("client_secret")
	} else {
		secret, _ = url.QueryUnescape(secret) // RFC 6749, 2.3.1
	}
	s.mu.Lock()
	asked, known := s.codes[r.PostFormValue("code")]
	delete(s.codes, r.PostFormValue("code"))
	s.mu.Unlock()
	verifier := sha256.Sum256([]byte(r.PostFormValue("code_verifier")))
	if !known || id != ClientID || secret != ClientSecret || encode(verifier[:]) != asked.Get("code_challenge") || r.PostFormValue("redirect_uri") != asked.Get("redirect_uri") {
		answer(w, http.StatusBadRequest, map[string]string{"error": "invalid_grant"})
		return
	}
	c := Claims{"iss": s.URL, "aud": ClientID, "nonce": asked.Get("nonce"), "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	for name, value := range s.Person {
		c[name] = value
	}
	if s.Change != nil {
		s.Change(c)
	}
	answer(w, http.StatusOK, map[string]any{"access_token": "nothing", "token_type": "Bearer", "id_token": s.sign(c)})
}

func (s *Server) sign(c Claims) string {
	header, key := map[string]string{"alg": "RS256", "kid": "1"}, s.key
	if s.Plain {
		header = map[string]string{"alg": "none"}
	}
	if s.Forged {
		key = s.other
	}
	h, _ := json.Marshal(header)
	b, _ := json.Marshal(c)
	text := encode(h) + "." + encode(b)
	if s.Plain {
		return text + "."
	}
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		panic(err) // the key is one
	}
	return text + "." + encode(signature)
}

func encode(b []byte) string { return base64.RawURLEncoding.EncodeToString(b) }

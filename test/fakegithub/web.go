package fakegithub

import "net/http"

func (s *Server) serveIndex(w http.ResponseWriter, r *http.Request) {}
func (s *Server) servePull(w http.ResponseWriter, r *http.Request)  {}
func (s *Server) serveAdmin(w http.ResponseWriter, r *http.Request) {}

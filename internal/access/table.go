package access

// Rule says what a route is for.
type Rule struct {
	Do     Action
	About  about // which preview it is about
	Page   bool  // for a browser: who is not signed in is sent to the sign-in
	Stream bool  // it may last: the right to it is looked at again every minute
	Tagged bool  // its answer has an ETag
}

// about is how a route names its preview.
type about string

const (
	aboutNothing    about = ""
	aboutPull       about = "pull"       // {owner}, {repo} and {number}
	aboutDeployment about = "deployment" // {deployment}
)

// routes is the table of all routes. A route that is not here answers nobody.
var routes = map[string]Rule{
	"/webhooks/github": {Do: Open},
	"GET /healthz":     {Do: Open},
	"GET /readyz":      {Do: Open},
	"GET /metrics":     {Do: Open},

	"GET /login":              {Do: Open},
	"GET /static/{file}":      {Do: Open},
	"GET /{$}":                {Do: Enter, Page: true},
	"GET /live":               {Do: Enter, Stream: true},
	"GET /live" + page:        {Do: See, About: aboutPull, Stream: true},
	"GET /p" + page:           {Do: See, About: aboutPull, Page: true},
	"GET /p" + page + "/logs": {Do: See, About: aboutPull, Page: true},
	"GET /p" + page + "/kept/{of}/{reason}/{file}": {Do: See, About: aboutPull, Page: true},
	"GET /p" + page + "/resources":                 {Do: See, About: aboutPull, Page: true},
	"GET /p" + page + "/events":                    {Do: See, About: aboutPull, Page: true},
	"GET /p" + page + "/config":                    {Do: See, About: aboutPull, Page: true},
	"POST /p" + page + "/redeploy":                 {Do: Redeploy, About: aboutPull, Page: true},
	"POST /p" + page + "/delete":                   {Do: Delete, About: aboutPull, Page: true},
	"POST /p" + page + "/approve":                  {Do: Approve, About: aboutPull, Page: true},
	"GET /d/{deployment}":                          {Do: See, About: aboutDeployment, Page: true},
	"GET /queue":                                   {Do: Enter, Page: true},
	"GET /deliveries":                              {Do: Operate, Page: true},
	"POST /deliveries/{id}/replay":                 {Do: Replay, Page: true},
	"GET /system":                                  {Do: Operate, Page: true},
	"GET /tokens":                                  {Do: Tokens, Page: true},
	"POST /tokens":                                 {Do: Tokens, Page: true},
	"POST /tokens/{id}/end":                        {Do: Tokens, Page: true},
	"GET /gh/{owner}/{repo}/pull/{number}":         {Do: See, About: aboutPull, Page: true},
	"GET /sha/{sha}":                               {Do: Enter, Page: true},
	"GET /host/{host}":                             {Do: Enter, Page: true},
	"GET /login/github":                            {Do: Open},
	"GET /login/github/callback":                   {Do: Open},
	"GET /login/oidc":                              {Do: Open},
	"GET /login/oidc/callback":                     {Do: Open},
	"GET /login/link":                              {Do: Open},
	"POST /logout":                                 {Do: Open},
	"GET /api/v1/openapi.json":                     {Do: Open},
	"GET /api/v1/openapi.yaml":                     {Do: Open},
	"GET /api/v1/me":                               {Do: Enter},
	"GET /api/v1/tokens":                           {Do: Tokens},
	"POST /api/v1/tokens":                          {Do: Tokens},
	"DELETE /api/v1/tokens/{id}":                   {Do: Tokens},
	"GET /api/v1/previews":                         {Do: Enter, Tagged: true},
	"GET /api/v1/queue":                            {Do: Enter, Tagged: true},
	"GET /api/v1/deliveries":                       {Do: Operate, Tagged: true},
	"GET /api/v1/deliveries/{id}":                  {Do: Operate, Tagged: true},
	"POST /api/v1/deliveries/{id}/replay":          {Do: Replay},
	"GET /api/v1/doctor":                           {Do: Operate},
	"GET /api/v1/audit":                            {Do: Operate, Tagged: true},
	"GET /api/v1/deployments/{deployment}":         {Do: See, About: aboutDeployment, Tagged: true},

	"GET " + pull:                                {Do: See, About: aboutPull, Tagged: true},
	"DELETE " + pull:                             {Do: Delete, About: aboutPull},
	"GET " + pull + "/deployments":               {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/timeline":                  {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/events":                    {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/containers":                {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/resources":                 {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/kept":                      {Do: See, About: aboutPull, Tagged: true},
	"GET " + pull + "/kept/{of}/{reason}/{file}": {Do: See, About: aboutPull, Stream: true},
	"GET " + pull + "/logs":                      {Do: See, About: aboutPull},
	"GET " + pull + "/logs/stream":               {Do: See, About: aboutPull, Stream: true},
	"GET " + pull + "/logs/download":             {Do: See, About: aboutPull, Stream: true},
	"GET " + pull + "/commands/{id}":             {Do: See, About: aboutPull, Tagged: true},
	"POST " + pull + "/redeploy":                 {Do: Redeploy, About: aboutPull},
	"POST " + pull + "/retry":                    {Do: Redeploy, About: aboutPull},
	"POST " + pull + "/approve":                  {Do: Approve, About: aboutPull},
}

const page = "/{owner}/{repo}/{number}"

const pull = "/api/v1/previews/{owner}/{repo}/{number}"

// RuleOf returns the rule of a route, by the pattern it is registered under.
func RuleOf(pattern string) (Rule, bool) {
	r, ok := routes[pattern]
	return r, ok
}

// Patterns returns all routes of the table.
func Patterns() []string {
	all := make([]string, 0, len(routes))
	for p := range routes {
		all = append(all, p)
	}
	return all
}

package fakegithub

import "testing"

func TestSanitize(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ in, want string }{
		{`<b>x</b><sub>y</sub><br>`, `<b>x</b><sub>y</sub><br/>`},
		{`a<script>alert(1)</script>b<style>p{}</style>c`, `abc`},
		{`<p onclick="x()" style="color:red" class="c" id="i">x</p>`, `<p>x</p>`},
		{`<a href="javascript:x()">x</a>`, `<a rel="nofollow noreferrer">x</a>`},
		{`<a href=" JaVaScRiPt:x()">x</a>`, `<a rel="nofollow noreferrer">x</a>`},
		{"<a href=\"java\tscript:x()\">x</a>", `<a rel="nofollow noreferrer">x</a>`},
		{`<a href="data:text/html,x">x</a>`, `<a rel="nofollow noreferrer">x</a>`},
		{`<a href="https://x/?a=1&amp;b=2">x</a>`, `<a href="https://x/?a=1&amp;b=2" rel="nofollow noreferrer">x</a>`},
		{`<img src="x" onerror="y()">`, `<img src="x"/>`},
		{`<details open><summary>s</summary>t</details>`, `<details open=""><summary>s</summary>t</details>`},
		{`<span aria-hidden="true" class="x">i</span>`, `<span aria-hidden="true">i</span>`},
		{`<font color="red">x</font>`, `x`},
		{`<iframe src="https://x"></iframe><form><input type="text" value="x"></form>y`, `y`},
		{`<input type="checkbox" disabled checked>`, `<input type="checkbox" disabled="" checked=""/>`},
		{`<input type="checkbox">`, ``},
		{`<svg><script>x()</script><a href="javascript:x()">z</a></svg>y`, `y`},
		{`<math><mi xlink:href="javascript:x()">z</mi></math>y`, `y`},
		{`<!-- marker -->x`, `x`},
		{`&lt;script&gt;`, `&lt;script&gt;`},
		{`<div><b>unclosed`, `<div><b>unclosed</b></div>`},
	} {
		if got := sanitize(test.in); got != test.want {
			t.Errorf("%s\n got %s\nwant %s", test.in, got, test.want)
		}
	}
}

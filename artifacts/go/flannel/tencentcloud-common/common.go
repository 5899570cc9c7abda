// Package common stands in for the Tencent Cloud SDK, which the module proxy
// does not serve. flannel's tencent-vpc backend compiles against it; the
// cluster uses vxlan and never calls it.
package common

// StringPtr and its siblings are all of the package that flannel uses.
func StringPtr(v string) *string { return &v }

func BoolPtr(v bool) *bool { return &v }

func StringPtrs(vs []string) []*string {
	ptrs := make([]*string, len(vs))
	for i := range vs {
		ptrs[i] = &vs[i]
	}
	return ptrs
}

// Package errors has the one name of the Tencent Cloud SDK's that flannel uses.
package errors

type TencentCloudSDKError struct{}

func (*TencentCloudSDKError) Error() string { return "the tencent-vpc backend is not built in" }

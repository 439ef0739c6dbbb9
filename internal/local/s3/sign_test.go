package s3

import (
	"net/http"
	"slices"

	"github.com/minio/minio-go/v7/pkg/signer"
)

func signV4(req http.Request, k Key) *http.Request {
	return signer.SignV4(req, k.Access, k.Secret, "", "us-east-1")
}

func sorted(s []string) []string {
	slices.Sort(s)
	return s
}

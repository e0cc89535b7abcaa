module naru.test/tools/github

go 1.26.0

require github.com/google/go-github/v84 v84.0.0

require github.com/google/go-querystring v1.2.0 // indirect

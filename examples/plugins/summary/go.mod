module summary

go 1.24
